# One of the two programs, and nothing else. It copies a static binary:
#
#   make build
#   docker build --build-arg PROGRAM=reverse_proxy -t reverse_proxy .
#   docker build --build-arg PROGRAM=backend_server -t backend_server .
FROM scratch
ARG PROGRAM
COPY bin/${PROGRAM} /program
ENTRYPOINT ["/program"]
