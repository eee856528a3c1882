"""The engine: normalizing flows with hand-derived gradients, small enough to train while somebody watches.

- `conditioner`: the ReLU network, feature-major, biases folded in
- `affine`, `spline`: maps of single features, whose parameters come from a conditioner (transformers)
- `coupling`: layers that transform some features given the others
- `stack`: layers over a standard normal, parameters flat; what `nets.training.train` trains
- `build`: whole architectures by name
"""
