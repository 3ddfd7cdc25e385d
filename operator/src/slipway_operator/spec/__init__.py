"""What people write and read: the custom resources of ``slipway.dev/v1alpha1``.

``fields`` (what all models share) · ``templates`` · ``strategy`` · ``gates`` · ``microservice`` · ``status`` ·
``serviceversion`` · ``releaseplan`` (the models; rules that need two fields stand beside them as CEL) · ``schema``
(a model to the structural schema the API server wants) · ``crds`` (the definitions, printed) · ``hashing`` (the name
of a version) · ``stored`` (what another release wrote). All of it is pure: the API server checks, this says what.
"""
