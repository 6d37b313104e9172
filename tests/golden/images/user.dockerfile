FROM base
USER root
RUN set -e; if ! grep -q '^me:' /etc/passwd; then \
    uid=1000; \
    while cut -d: -f3 /etc/passwd | grep -qx "$uid"; do uid=$((uid + 1)); done; \
    gid=$uid; \
    cut -d: -f3 /etc/group | grep -qx "$gid" || echo "me:x:$gid:" >> /etc/group; \
    echo "me:x:$uid:$gid::/home/me:/bin/sh" >> /etc/passwd; \
    mkdir -p /home/me; \
    chown "$uid:$gid" /home/me; fi
