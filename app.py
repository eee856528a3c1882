"""FlowLab's entry: `streamlit run app.py`. Worker processes import this file again, so all work is in main()."""


def main() -> None:
    # Inside, because workers need no page: streamlit would cost each of them a second and a tenth of a gigabyte.
    from flowlab.dashboard.shell import frame

    frame.run()


if __name__ == "__main__":
    main()
