"""What C may be handed: tensors whose memory is what they seem to be."""

import torch
from torch import Tensor, nn

# a subclass may mean something else by its values, or have none
MEMORY = (Tensor, nn.Parameter)


def recorded() -> bool:
    """Whether operations are recorded, or seen by a mode, as they run.

    So they are under ``torch.jit.trace``, the exporters, fake tensors and
    ``torch.func``, and while ``torch.compile`` looks. What Python does with
    values would be missing from the record, and there may be none to read.
    """
    if torch.compiler.is_dynamo_compiling():
        return True
    return (
        torch._C._get_tracing_state() is not None
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._functorch.peek_interpreter_stack() is not None
    )


def standard_only(x: Tensor) -> bool:
    """Whether a graph is to hold operators of torch alone.

    So it is in programs without this package, such as ONNX; and where no
    compiled kernels are, the parts of an operator can be fused with others.

    Args:
        x (Tensor): What is computed with.
    """
    return not x.is_cpu or torch.onnx.is_in_onnx_export()


def without_values(x: Tensor) -> bool:
    """Whether a layer is computed as in a graph: no value decides anything.

    So it is while operations are :func:`recorded`, and on other devices than
    a CPU, where Python would wait for values.

    Args:
        x (Tensor): What is computed with.
    """
    return not x.is_cpu or recorded()


def single_on_cpu(*tensors: Tensor) -> bool:
    """Whether tensors are float32 on a CPU, with or without values.

    Args:
        *tensors (Tensor): Every tensor of floats that is read.
    """
    return all(x.is_cpu and x.dtype is torch.float32 for x in tensors)


def runs_here(*tensors: Tensor) -> bool:
    """Whether kernels can read tensors: plain, float32 and on a CPU.

    Args:
        *tensors (Tensor): Every tensor of floats that they would read or
            write; strides may be any.
    """
    return (
        not recorded()
        and single_on_cpu(*tensors)
        and all(map(readable, tensors))
    )


def readable(x: Tensor) -> bool:
    """Whether the memory of a tensor holds its values, by its strides.

    Args:
        x (Tensor): Of any class, device, layout and dtype.
    """
    return (
        type(x) in MEMORY
        and x.is_cpu
        and x.layout is torch.strided
        and not x.is_nested
        and not x.is_neg()
    )


def plain(dtype: torch.dtype, *tensors: Tensor) -> bool:
    """Whether tensors are contiguous and of one dtype.

    Args:
        dtype (torch.dtype): What C reads.
        *tensors (Tensor): Any.
    """
    return all(x.dtype is dtype and x.is_contiguous() for x in tensors)


def within_storage(x: Tensor) -> bool:
    """Whether a tensor's storage is there and large enough.

    Sharding resizes storages and leaves the tensors as they were.

    Args:
        x (Tensor): For which :func:`readable` holds.
    """
    if not x.numel():
        return True
    last = x.storage_offset() + sum(
        (size - 1) * stride
        for size, stride in zip(x.shape, x.stride(), strict=True)
    )
    end = (last + 1) * x.element_size()
    return x.data_ptr() != 0 and end <= x.untyped_storage().nbytes()


def share_partly(one: Tensor, other: Tensor) -> bool:
    """Whether two contiguous tensors overlap without being the same memory.

    Args:
        one (Tensor): For which :func:`readable` holds.
        other (Tensor): Likewise.
    """
    first, second = sorted((one, other), key=Tensor.data_ptr)
    if first.data_ptr() == second.data_ptr():
        return False
    return first.data_ptr() + first.nbytes > second.data_ptr()
