# shellcheck shell=bash
# Puts a comparison below the pull request (GitHub) or the merge request (GitLab) that a job is about.

# How a comment of ours is found again: a line that a page does not show.
readonly COMMENT_MARK='<!-- spawnlab -->'

# comment FILE: writes FILE below the request, in place of what an earlier job wrote there. Without a request or a token
# that may do so nothing is written: the comparison is in the report all the same.
comment() {
    local body
    [[ -n ${SPAWNLAB_COMMENT_TOKEN:-} ]] || return 0
    if ! command -v curl >/dev/null || ! command -v jq >/dev/null; then
        say 'a comment takes curl and jq, and one of them is not there; none is written'
        return 0
    fi
    body=$(jq --compact-output --raw-input --slurp --arg mark "$COMMENT_MARK" '{body: ($mark + "\n" + .)}' "$1")
    if [[ ${GITHUB_ACTIONS:-} == true && ${GITHUB_REF:-} =~ ^refs/pull/([0-9]+)/ ]]; then
        comment_by_api "$body" PATCH "Authorization: Bearer $SPAWNLAB_COMMENT_TOKEN" \
            "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/${BASH_REMATCH[1]}/comments" \
            "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/comments"
    elif [[ ${GITLAB_CI:-} == true && -n ${CI_MERGE_REQUEST_IID:-} ]]; then
        local notes="$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"
        comment_by_api "$body" PUT "PRIVATE-TOKEN: $SPAWNLAB_COMMENT_TOKEN" "$notes" "$notes"
    else
        say 'no pull or merge request is being tested here; no comment is written'
    fi
}

# comment_by_api BODY VERB HEADER ALL ONE: asks ALL for the comment of ours and replaces it below ONE with VERB, or
# adds one. What a service refuses is said, and fails nothing: a comment is no verdict.
comment_by_api() {
    local body=$1 verb=$2 header=$3 all=$4 one=$5 ours
    # A header in a file: what is in the arguments every user of the machine can read.
    local call=(curl --fail --silent --show-error --max-time 60 --header @- --header 'Content-Type: application/json')
    ours=$(printf '%s\n' "$header" | "${call[@]}" "$all?per_page=100" |
        jq --arg mark "$COMMENT_MARK" 'map(select(.body | startswith($mark))) | last | .id // empty') || ours=''
    if [[ -n $ours ]]; then
        printf '%s\n' "$header" | "${call[@]}" --request "$verb" --data "$body" "$one/$ours" >/dev/null ||
            say 'the comment of an earlier job could not be replaced; curl says why above'
    else
        printf '%s\n' "$header" | "${call[@]}" --data "$body" "$all" >/dev/null ||
            say 'no comment could be written; curl says why above'
    fi
}
