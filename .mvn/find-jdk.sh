# Sets JAVA_HOME to a JDK 25, whatever `java` on PATH is. Sourced by ./mvnw and ./sojourn.
# Order: SOJOURN_JAVA_HOME, JAVA_HOME, java on PATH, the usual places of Linux, macOS and SDKMAN.

sojourn_jdk_is_25() {
  [ -x "$1/bin/javac" ] && [ -f "$1/release" ] && grep -q '^JAVA_VERSION="25[.+"]' "$1/release"
}

sojourn_find_jdk() {
  if [ -n "${SOJOURN_JAVA_HOME-}" ] && ! sojourn_jdk_is_25 "$SOJOURN_JAVA_HOME"; then
    echo "sojourn: SOJOURN_JAVA_HOME is '$SOJOURN_JAVA_HOME', where no JDK 25 is; set it to one, or leave it out" >&2
    return 2
  fi
  sojourn_on_path=$(command -v javac 2>/dev/null || :)
  [ -z "$sojourn_on_path" ] || sojourn_on_path=$(dirname "$(dirname "$(readlink -f "$sojourn_on_path")")")
  # Unquoted on purpose: the patterns expand to the JDKs that are installed. `set -f` of the caller is undone here.
  sojourn_noglob=$-
  set +f
  for sojourn_jdk in "${SOJOURN_JAVA_HOME-}" "${JAVA_HOME-}" "$sojourn_on_path" \
    /usr/lib/jvm/*25* /usr/java/*25* /opt/java/*25* /opt/jdk*25* \
    /Library/Java/JavaVirtualMachines/*25*/Contents/Home /opt/homebrew/opt/openjdk@25 \
    "${HOME-}"/.sdkman/candidates/java/25* "${HOME-}"/.jdks/*25*; do
    if [ -n "$sojourn_jdk" ] && sojourn_jdk_is_25 "$sojourn_jdk"; then
      JAVA_HOME=$sojourn_jdk
      export JAVA_HOME
      break
    fi
    sojourn_jdk=
  done
  case $sojourn_noglob in *f*) set -f ;; esac
  if [ -z "$sojourn_jdk" ]; then
    echo "Sojourn needs a JDK 25 and found none. Install one (Debian: temurin-25-jdk or openjdk-25-jdk," >&2
    echo "macOS: brew install openjdk@25, SDKMAN: sdk install java 25-tem), or set SOJOURN_JAVA_HOME to it." >&2
    return 1
  fi
}

sojourn_find_jdk
