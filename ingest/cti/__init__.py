"""Telephone calls: call detail records of switchboards, read row by row and judged call by call."""
