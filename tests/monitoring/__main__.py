"""`make monitoring`: writes `k8s/METRICS.md` and the dashboard anew; with `--preview` its picture too."""

from __future__ import annotations

import sys

from tests.monitoring import dashboard, metrics_page, preview

metrics_page.PAGE.write_text(metrics_page.metrics_page(), encoding="utf-8")
dashboard.FILE.write_text(dashboard.dashboard_text(), encoding="utf-8")
if "--preview" in sys.argv[1:]:
    print(preview.make_preview())
