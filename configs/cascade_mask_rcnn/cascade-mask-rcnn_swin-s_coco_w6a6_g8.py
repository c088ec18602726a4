_base_ = ['./cascade-mask-rcnn_swin-s_coco.py', '../_base_/w6a6_g8.py']
