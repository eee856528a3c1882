"""What FlowLab says to people: every sentence, when it may be said, and the test that tries to make it false."""
