_base_ = ['./cascade-mask-rcnn_swin-s_coco.py', '../_base_/w4a4_g8.py']
