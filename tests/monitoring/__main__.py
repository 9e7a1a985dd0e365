"""`make monitoring`: writes `k8s/METRICS.md`, the thresholds of alerts and the dashboard anew.

With `--preview` the dashboard's picture too.
"""

from __future__ import annotations

import sys

from dataflow.contract import load
from dataflow.published.thresholds import threshold_rules
from tests.monitoring import dashboard, metrics_page, preview, rules

metrics_page.PAGE.write_text(metrics_page.metrics_page(), encoding="utf-8")
rules.THRESHOLDS.write_text(threshold_rules(load()), encoding="utf-8")
dashboard.FILE.write_text(dashboard.dashboard_text(), encoding="utf-8")
if "--preview" in sys.argv[1:]:
    print(preview.make_preview())
