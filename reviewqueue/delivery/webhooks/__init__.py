"""Webhooks (Standard Webhooks): who hears of what, deliveries made from the feed, signed, sent and repeated."""
