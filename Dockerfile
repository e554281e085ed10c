# Three stages: compile, collect what runs, and the image: Node, the compiled program and its
# modules, nothing else. Configured by environment alone, or with TURNOUT_CONFIG and a file.
#
#   docker run -p 8080:8080 -e TURNOUT_BLUE=http://blue:3000 -e TURNOUT_GREEN=http://green:3000 turnout
#   docker exec CONTAINER turnout switch green

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without scripts: the one that they would run brings a second Node, for development.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json tsconfig.client.json ./
COPY src src
RUN npm run -s build && chmod 755 dist/main.js

FROM node:24-slim AS modules
WORKDIR /app
COPY package.json package-lock.json ./
# What is optional is a Node for machines that have an older one.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production TURNOUT_STATE=/state
WORKDIR /app
# The state belongs to whoever runs the container: any user id works, also with a read-only root.
RUN ln -s /app/dist/main.js /usr/local/bin/turnout && mkdir -m 1777 /state
COPY package.json ./
COPY --from=modules /app/node_modules node_modules
COPY --from=build /app/dist dist
USER 1000:1000
VOLUME /state
EXPOSE 8080
# Asks the admin API on loopback, which nobody outside the container can reach: does this process take
# traffic? Targets that are down are no reason to restart it; `turnout status --check` tells of them.
# Each question costs twice what an empty Node process does, 0.06 s of CPU.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["turnout", "ready"]
ENTRYPOINT ["turnout"]
CMD ["run"]
# Last, so that another commit makes no other layers. A release sets both.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Turnout" \
  org.opencontainers.image.description="Blue/green traffic switch: a reverse proxy" \
  org.opencontainers.image.url="https://github.com/turnout-proxy/turnout" \
  org.opencontainers.image.source="https://github.com/turnout-proxy/turnout" \
  org.opencontainers.image.documentation="https://github.com/turnout-proxy/turnout/tree/main/docs" \
  org.opencontainers.image.vendor="The Turnout maintainers" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.base.name="docker.io/library/node:24-slim" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
