"""The recall lab on the screen.

opened.py         what the page works with: the lab, and what goes on in the background
head.py           its name and its menu
background.py     steps that outlive a script run
film.py           the film strip: runs as cards, the window as a frame over them
guided.py         the guided demonstration: plant, let pass, ask
cases.py          awkward cases, and rescues
sweep.py          an experiment: its settings, its estimate, its progress
results.py        what an experiment measured: grid, curves, downloads, comparison
charts.py         the charts of it
beside.py         injected beside kept history; the price of all events
"""
