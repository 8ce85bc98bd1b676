#!/usr/bin/env bash
# Backups of a PostgreSQL server from which it can go back to any moment: a base backup, and an archive of its WAL.
#
#   pitr.sh archive PATH NAME ARCHIVE         keep one file of WAL; what archive_command calls with %p and %f
#   pitr.sh base DEST                         write a base backup to the new folder DEST, and check it
#   pitr.sh recover BASE ARCHIVE TIME PGDATA  make PGDATA, which is empty, from a base backup; the server that is then
#                                             started on it goes on to TIME, as in '2026-11-20 10:00:00+00', or 'latest'
#
# postgresql.conf needs:
#   wal_level = replica
#   archive_mode = on
#   archive_timeout = 60
#   archive_command = '/path/to/pitr.sh archive %p %f /path/to/archive'
#
# ARCHIVE and DEST belong on another machine, or on a disk of their own. `base` connects as libpq's variables say (PGHOST,
# PGUSER, ...); the programs of the server's version are those on the PATH.
set -euo pipefail
umask 077

usage() { sed -n '4,7s/^# *//p' "$0" >&2; exit 2; }
refuse() { echo "pitr.sh: $*" >&2; exit 1; }

archive() {
  local path=$1 name=$2 archive=$3
  # Once it is kept it must never be another: PostgreSQL asks again after a crash, with the same.
  if [ -e "$archive/$name" ]; then cmp -s "$path" "$archive/$name" || refuse "$archive/$name is there, and another."; return; fi
  cp "$path" "$archive/.$name.$$"
  sync "$archive/.$name.$$"
  mv -n "$archive/.$name.$$" "$archive/$name"
  sync "$archive"
}

base() {
  local dest=$1
  [ ! -e "$dest" ] || refuse "$dest is there already."
  rm -rf "$dest.partial"
  pg_basebackup --pgdata "$dest.partial" --wal-method stream --checkpoint fast --manifest-checksums SHA256
  pg_verifybackup --quiet "$dest.partial"
  mv "$dest.partial" "$dest"
}

recover() {
  local base=$1 archive=$2 time=$3 data=$4
  [ ! -e "$data" ] || [ -z "$(ls -A "$data")" ] || refuse "$data is not empty."
  pg_verifybackup --quiet "$base"
  mkdir -p "$data"
  cp -a "$base/." "$data/"
  chmod 700 "$data"
  {
    echo "restore_command = 'cp \"$archive/%f\" \"%p\"'"
    [ "$time" = latest ] || echo "recovery_target_time = '$time'"
    echo "recovery_target_action = 'promote'"
  } >> "$data/postgresql.auto.conf"
  touch "$data/recovery.signal"
  echo "Start the server on $data: it goes on to $time and then opens. Then say: reviewqueue audit restored --reason '...'"
}

case "${1:-} $#" in
  "archive 4") archive "$2" "$3" "$4" ;;
  "base 2") base "$2" ;;
  "recover 5") recover "$2" "$3" "$4" "$5" ;;
  *) usage ;;
esac
