_base_ = ['./mask-rcnn_swin-t_coco.py', '../_base_/w6a6_g8.py']
