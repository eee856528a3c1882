"""Networks over small pictures: a multi-scale coupling flow, a masked autoregressive network, a two-level code.

Everywhere a batch of pictures is (n, height, width, channels), channels last, as the rows of a data set hold them.
"""
