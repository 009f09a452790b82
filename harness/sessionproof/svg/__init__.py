"""Small pictures as SVG inside a page: pure functions from plain values to Markup."""
