# cashew in a container: docker build -t cashew --build-arg VERSION=$(git describe --tags --always) .
FROM golang:1.26 AS build
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build VERSION="$VERSION"

FROM scratch
COPY --from=build /src/bin/cashew /usr/bin/cashew
COPY packaging/cashew.yml /etc/cashew/cashew.yml
# Nobody in particular: there are no users in here.
USER 65532:65532
# 22121 is the example's pool, 22222 are the statistics, which from outside are to be reached.
EXPOSE 22121 22222
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/cashew"]
CMD ["-c", "/etc/cashew/cashew.yml", "-a", "0.0.0.0"]
