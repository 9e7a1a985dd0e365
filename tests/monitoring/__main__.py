"""`make monitoring`: writes `k8s/METRICS.md` and the dashboard anew."""

from tests.monitoring import dashboard, metrics_page

metrics_page.PAGE.write_text(metrics_page.metrics_page(), encoding="utf-8")
dashboard.FILE.write_text(dashboard.dashboard_text(), encoding="utf-8")
