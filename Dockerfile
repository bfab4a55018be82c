# syntax=docker/dockerfile:1

# The same sources and arguments give the same binary: no path, no time and no state of a repository gets into it.
ARG GO_VERSION=1.26.8
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/gocache \
    GOCACHE=/gocache CGO_ENABLED=0 GOTOOLCHAIN=local GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags '-s -w' -o /out/xyra ./cmd/xyra \
    && mkdir -m 0700 /out/data

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="Xyra" \
      org.opencontainers.image.description="Billing backend of a company that sells AI agents" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/xyra /xyra
# A new volume takes over the owner of what it covers.
COPY --from=build --chown=65532:65532 /out/data /data
ENV XYRA_DATA_DIR=/data PORT=8000
# The only folder that is written to: the root file system may be read only, and SQLite keeps what does not fit memory here.
WORKDIR /data
VOLUME ["/data"]
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s --retries=3 CMD ["/xyra", "healthcheck"]
ENTRYPOINT ["/xyra"]
