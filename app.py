"""FlowLab's entry: `streamlit run app.py`. Worker processes import this file again, so all work is in main()."""

from pages.ui import frame


def main() -> None:
    frame.run()


if __name__ == "__main__":
    main()
