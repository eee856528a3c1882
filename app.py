"""FlowLab's entry: `streamlit run app.py`. Worker processes import this file again, so all work is in functions."""


def main() -> None:
    # Inside, because workers need no page: streamlit would cost each of them a second and a tenth of a gigabyte.
    from flowlab.dashboard.shell import frame

    frame.run()


def __getattr__(name: str) -> object:
    """`app`: `streamlit run` finds the assignment to it in the text of this file and then asks the module for it."""
    if name != "app":
        raise AttributeError(name)
    import streamlit as st

    from flowlab.dashboard import launcher

    app = st.App(__file__, lifespan=launcher.closing, **launcher.around_pages())
    return app


if __name__ == "__main__":
    main()
