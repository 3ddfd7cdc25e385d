from slipway_operator.tour.measuring import ByRequest, Measured, Outcome, by_request, measured, with_counts, with_orders


def test_each_request_is_answered_refused_or_late():
    found = measured(
        [
            Outcome("GET /", 10, 200),
            Outcome("GET /", 30, 200, partial=True),
            Outcome("GET /", 20, 503),
            Outcome("GET /", 5),
            Outcome("GET /", 5000, late=True),
            Outcome("GET /sign-up", 5001, 200, late=True),
        ]
    )

    assert found.counts == {"sent": 6, "answered": 2, "refused": 2, "late": 2, "partial": 1}
    assert found.p50 == {"GET /": 20, "GET /sign-up": 5001}


def test_an_error_that_names_missing_parts_is_no_page():
    assert measured([Outcome("GET /", 1, 500, partial=True)]).counts["partial"] == 0


def test_an_order_counts_when_it_was_accepted_and_is_lost_when_it_was_not_confirmed():
    order = "POST /v1/orders"
    found = measured([Outcome(order, 1, 201, order="a"), Outcome(order, 1, 201, order="b"), Outcome(order, 1, 503)])

    assert found.orders == ("a", "b")
    counts = with_orders(found, confirmed=1).counts
    assert (counts["placed"], counts["lost"]) == (2, 1)


def test_counts_that_a_visit_makes_stand_beside_those_of_the_answers():
    found = with_counts(measured([Outcome("GET /", 7, 200)]), reached=0)

    assert (found.counts["answered"], found.counts["reached"]) == (1, 0)
    assert found.p50 == {"GET /": 7}


def test_nothing_was_asked():
    assert measured([]) == Measured(dict.fromkeys(("sent", "answered", "refused", "late", "partial"), 0))


def test_each_request_has_a_line_of_its_own():
    slow = [Outcome("GET /", milliseconds, 200) for milliseconds in range(1, 101)]
    other = [Outcome("GET /x", 7, 404), Outcome("GET /x", 5000, late=True)]

    assert by_request([*slow, *other]) == [
        ByRequest("GET /", 100, 0, 0, 50, 100),
        ByRequest("GET /x", 0, 1, 1, 2504, 5000),
    ]
    assert by_request([]) == []
