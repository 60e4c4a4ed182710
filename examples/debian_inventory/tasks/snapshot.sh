# Copies dpkg's database once nobody is writing it; inputs are JSON on standard input.
#
# Why this task retries: apt and dpkg rewrite the status file again and again while they install, and
# a copy taken then shows packages half installed. So an attempt accepts its copy only if the attempt
# before it, a second earlier, saw the same bytes. The first attempt of a run has nothing to compare
# with and always fails; on a quiet machine the second succeeds. The wait between two attempts is the
# server's: no process sleeps meanwhile, and it survives a restart.
set -eu

status_file=$(jq -r .status_file)

# The working directory is shared by all tasks and attempts of one run, and goes when the run ends.
copy=$PWD/status
cp "$status_file" "$copy.new"
checksum=$(sha256sum <"$copy.new" | cut -d' ' -f1)
seen=$(cat status.sha256 2>/dev/null || true)
echo "$checksum" >status.sha256
if [ "$checksum" != "$seen" ]; then
    echo "sha256 $checksum is new to this run: looking again in a second" >&2
    exit 75
fi

mv "$copy.new" "$copy"
stanzas=$(awk '/^Package:/ { n++ } END { print n + 0 }' "$copy")
bytes=$(wc -c <"$copy")
echo "unchanged: $stanzas packages in $bytes bytes"
jq -cn --arg path "$copy" --arg sha256 "$checksum" --argjson stanzas "$stanzas" \
    --argjson bytes "$bytes" '{$path, $sha256, $stanzas, $bytes}'
