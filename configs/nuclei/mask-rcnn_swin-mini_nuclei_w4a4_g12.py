_base_ = ['./mask-rcnn_swin-mini_nuclei.py', '../_base_/w4a4_g12.py']
