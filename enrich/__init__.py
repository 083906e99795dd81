"""Normalise a lead and recognise the contact and the customer behind it. Pure, but for `gateway`."""
