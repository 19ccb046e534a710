# The official Bun image, at the one version this project is built with.
ARG BUN_IMAGE=oven/bun:1.4.5
# What the executable runs in: it brings its own runtime and needs glibc only.
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BUN_IMAGE} AS build
WORKDIR /app
COPY package.json bun.lock tsconfig.json bunfig.toml ./
RUN bun install --frozen-lockfile
COPY src ./src
RUN bun run build

FROM ${BASE_IMAGE}
COPY --from=build /app/dist/pubsub /usr/local/bin/pubsub
USER 65534:65534
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=2s --retries=3 CMD ["/usr/local/bin/pubsub", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/pubsub"]
