custom_hooks = [
    dict(
        type='igq_mmdet.IGQHook',
        spec=dict(w_bits=6, a_bits=6, groups=12),
    )
]
