import pytest

from slipway_chassis.embedded.processes import free_port
from slipway_operator.errors import LessonFailed
from slipway_operator.tour.arrivals import arrivals, counted

PAGE = """# TYPE envoy_cluster_upstream_rq_total counter
envoy_cluster_upstream_rq_total{envoy_cluster_name="orders"} 7
envoy_cluster_upstream_rq_total{envoy_cluster_name="inner-orders-http"} 5
envoy_cluster_upstream_rq_total{envoy_cluster_name="orders-of-others"} 1000
envoy_cluster_upstream_rq_total{envoy_cluster_name="inventory"} 3
envoy_http_downstream_cx_total{envoy_http_conn_manager_prefix="inner-orders-http"} 2
envoy_http_downstream_cx_total{envoy_http_conn_manager_prefix="inner-inventory-grpc"} 9
envoy_http_downstream_cx_total{envoy_http_conn_manager_prefix="gateway"} 500
envoy_http_downstream_cx_length_ms_sum{envoy_http_conn_manager_prefix="inner-orders-http"} 0.5
"""


def test_requests_are_counted_from_the_edge_and_from_services_and_connections_from_services():
    assert counted(PAGE, "orders") == {"reached": 12, "opened": 2}
    assert counted(PAGE, "inventory") == {"reached": 3, "opened": 9}


def test_a_page_that_knows_nothing_of_a_service_is_no_count():
    with pytest.raises(LessonFailed, match="Envoy counts nothing of parcels"):
        counted(PAGE, "parcels")


def test_an_admin_page_that_does_not_answer_is_named():
    port = free_port()
    with pytest.raises(LessonFailed, match=f"admin page on port {port} gave no answer"):
        arrivals(port, "orders")
