_base_ = ['./detr_r50_coco.py', '../_base_/w4a4_g12.py']
