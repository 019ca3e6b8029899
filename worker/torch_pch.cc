// Nothing but a home for the precompiled <torch/torch.h>.
