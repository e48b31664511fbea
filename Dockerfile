# PostgreSQL 15 with pg_nlp. Build:  docker build -t pg_nlp .
# Run:   docker run -e POSTGRES_PASSWORD=... -v pg_nlp:/var/lib/postgresql/data -p 5432:5432 pg_nlp
# The library is preloaded, so models live in the server's own shared memory and the
# container's /dev/shm of 64 MB is enough. For more or larger models raise
# pg_nlp.shared_memory_size: the models resident at one time must fit.
FROM postgres:15-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
	gcc libc6-dev make libutf8proc-dev libjansson-dev postgresql-server-dev-15 \
	&& rm -rf /var/lib/apt/lists/*
COPY . /src
RUN make -C /src -j"$(nproc)" PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config \
	&& make -C /src install PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config DESTDIR=/out

FROM postgres:15-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends libutf8proc2 libjansson4 \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /
CMD ["postgres", "-c", "shared_preload_libraries=pg_nlp", "-c", "pg_nlp.shared_memory_size=1GB"]
