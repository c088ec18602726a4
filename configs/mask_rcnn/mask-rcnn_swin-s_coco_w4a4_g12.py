_base_ = ['./mask-rcnn_swin-s_coco.py', '../_base_/w4a4_g12.py']
