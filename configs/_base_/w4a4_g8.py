custom_hooks = [
    dict(
        type='igq_mmdet.IGQHook',
        spec=dict(w_bits=4, a_bits=4, groups=8),
    )
]
