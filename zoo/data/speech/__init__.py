"""Speech of engines, and singing made from it.

It needs extras: pip install 'music-zoo[speech]'.
"""
