# What a first Dockerfile does, on the same packages: root, and a command that a shell runs as its child.
ARG IMAGE
FROM ${IMAGE}
USER root
ENTRYPOINT []
CMD slipway run storefront http
