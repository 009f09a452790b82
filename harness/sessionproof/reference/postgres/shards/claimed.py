"""What the store claims where it is spread over servers: nothing of transactions across them."""

from __future__ import annotations

from dataclasses import replace

from sessionproof.reference.postgres.claimed import CLAIMS as ON_ONE

CLAIMS = replace(ON_ONE, isolation=None)
