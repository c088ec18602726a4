_base_ = ['./cascade-mask-rcnn_swin-t_coco.py', '../_base_/w6a6_g12.py']
