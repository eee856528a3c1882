"""The engine: normalizing flows with hand-derived gradients, small enough to train while somebody watches.

- `conditioner`: the ReLU network, feature-major, biases folded in
- `affine`, `spline` (with `spline_kernels`): maps of single features, whose parameters come from a conditioner
- `coupling`, `autoregressive`, `elementary`: layers
- `stack`: layers over a standard normal, parameters flat; what `nets.training.train` trains
- `build`: whole architectures by name

A layer has `shapes` (of its weight matrices), `n_log_det` (rows of log-derivatives it writes), `mask` (of its weights,
or None) and the methods `attach`, `initialize`, `buffers`, `forward`, `backward`, `inverse`, `readout`. They work on a
namespace `w` that `buffers` fills once per batch size: w.x (n_features, batch), changed in place; w.g, its gradient;
w.context; w.log_det, and w.log_det_weight, its weight in the loss.
"""
