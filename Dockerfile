# README's installation in a container:
#   docker build -t zoom-engine .
#   docker run --rm -v "$PWD:/work" -v zoom-engine-cache:/cache zoom-engine demo --out audit
FROM python:3.12-slim

WORKDIR /source
COPY . .
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ \
    && ZOOM_ENGINE_REQUIRE_NATIVE=1 pip install --no-cache-dir ".[cpu]" \
    && apt-get purge -y --auto-remove g++ \
    && rm -rf /var/lib/apt/lists/*

# Whoever runs it (docker run --user) can write what is kept between runs.
ENV ZOOM_ENGINE_CACHE=/cache
RUN mkdir -m 1777 /cache
VOLUME /cache

WORKDIR /work
ENTRYPOINT ["zoom-engine"]
CMD ["--help"]
