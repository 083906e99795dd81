"""The demo company at work: 90 days of history through the real stages, then live leads through the real doors.

    cast      invents the customers: names, firms, numbers, what they ask for
    script    the history: who posts what, when, with every trap a web form meets
    staff     what the salespeople do: outcomes, returns, taking from a queue
    seed      plays script and staff with a simulated clock; resumes where it was killed
    feed      live leads, by HTTP, SMTP, … to the doors of the running installation
    run       `leadflow demo`: all of it in one process

Everything here has purpose `demo`, and nothing of it is imported by the rest.
"""
