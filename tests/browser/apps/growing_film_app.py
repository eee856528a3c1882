"""A film of as many frames as the session says, as a page shows it while it grows."""

import numpy as np
import streamlit as st

from flowlab.dashboard.canvas.film_player import film_view
from flowlab.serving.canvas import TrainingScene


def main() -> None:
    n = st.session_state.setdefault("n", 3)
    frames = [{"window": np.array([0.0, 1, 0, 1]), "latent": np.full((5, 2), i, np.float16)} for i in range(n)]
    scene = TrainingScene(np.zeros((5, 2)), (0, 1, 0, 1), 100, has_density=False)
    st.markdown(film_view(scene, frames, [10 * (i + 1) for i in range(n)], [], "film", growing=True))


if __name__ == "__main__":  # workers that are started later import it again
    main()
