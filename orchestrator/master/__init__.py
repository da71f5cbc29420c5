"""The master daemon: reader, loop, lanes, dispatcher, timers, membership."""
