"""Experts: what is known of voices in general, beside what was taught."""
