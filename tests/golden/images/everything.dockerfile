FROM base
ENV A="two \"words\" \$HOME"
ENV PATH="/x:$PATH"
SHELL ["/bin/bash", "-c"]
RUN export DEBIAN_FRONTEND=noninteractive \
    && apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/log/apt/* /var/log/dpkg.log
RUN set -e; if ! grep -q '^me:' /etc/passwd; then \
    uid=1000; \
    gid=100; \
    cut -d: -f3 /etc/group | grep -qx "$gid" || echo "me:x:$gid:" >> /etc/group; \
    echo "me:x:$uid:$gid::/home/me:/bin/sh" >> /etc/passwd; \
    mkdir -p /home/me; \
    chown "$uid:$gid" /home/me; fi
ARG TOKEN
WORKDIR /app
ADD ["https://h.org/x.tgz", "data/"]
