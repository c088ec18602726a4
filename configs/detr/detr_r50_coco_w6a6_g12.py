_base_ = ['./detr_r50_coco.py', '../_base_/w6a6_g12.py']
