# compare.awk - medians and ratios of one compare session, against the targets.
# usage: awk -v csv=FILE -v json=FILE -v check=0|1 -v where=PLACE -f compare.awk targets.tsv samples.tsv
# samples.tsv: round, name, value; several values of a name count as several rounds. where: only the targets for that place,
# else all. Prints two tables; with check=1 the exit status is 1 when a target is missed or has no figure. POSIX awk.
BEGIN { FS = "\t"; target_count = 0; name_count = 0 }

/^#/ || NF == 0 { next }

FNR == NR && where != "" && $6 != where { next }

FNR == NR {
    target_count++
    title[target_count] = $1
    numerator[target_count] = $2
    denominator[target_count] = $3
    kind[target_count] = $4
    bound[target_count] = $5
    next
}

$3 ~ /^[0-9]+(\.[0-9]+)?$/ {
    if (!($2 in count))
        names[++name_count] = $2
    value[$2, ++count[$2]] = $3 + 0
    of_round[$2, $1] = $3 + 0
    if ($1 + 0 > rounds)
        rounds = $1 + 0
}

function median_of(list, n,    i, j, v) {
    for (i = 2; i <= n; i++) {
        v = list[i]
        for (j = i - 1; j >= 1 && list[j] > v; j--)
            list[j + 1] = list[j]
        list[j + 1] = v
    }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

# The median of a sample's values; low and high are left in lowest and highest.
function median(name,    i, list, m) {
    for (i = 1; i <= count[name]; i++)
        list[i] = value[name, i]
    m = median_of(list, count[name])
    lowest = list[1]
    highest = list[count[name]]
    return m
}

function is_number(text) { return text ~ /^[0-9]+(\.[0-9]+)?$/ }
function is_there(name) { return is_number(name) || (name in count) }
function figure(name) { return is_number(name) ? name + 0 : median(name) }

# Lowest and highest ratio of two samples of the same round: how far the noise reaches.
function spread(a, b,    r, v, low, high, n) {
    n = 0
    for (r = 1; r <= rounds; r++) {
        if (!((a, r) in of_round) || (!is_number(b) && (!((b, r) in of_round) || of_round[b, r] == 0)))
            continue
        v = of_round[a, r] / (is_number(b) ? b : of_round[b, r])
        if (n++ == 0 || v < low) low = v
        if (n == 1 || v > high) high = v
    }
    return n == 0 ? "" : sprintf("%.3f..%.3f", low, high)
}

function verdict(i, ratio) {
    if (kind[i] == "info")
        return "-"
    if (kind[i] == "at-most")
        return ratio <= bound[i] + 0 ? "met" : "MISSED"
    return ratio >= bound[i] + 0 ? "met" : "MISSED"
}

function quoted(text) { gsub(/["\\]/, "\\\\&", text); return "\"" text "\"" }

function put_samples(    i, n, row) {
    row = "%-34s %12s %12s %12s %7s\n"
    printf row, "figure (us, MB/s, KiB, 1/s)", "median", "lowest", "highest", "rounds"
    for (i = 1; i <= name_count; i++) {
        n = names[i]
        if (n ~ /^sweep\./)
            continue
        medians[n] = median(n)
        printf "%-34s %12.2f %12.2f %12.2f %7d\n", n, medians[n], lowest, highest, count[n]
    }
}

function text_of(name) { return is_there(name) ? sprintf("%.2f", figure(name)) : "?" }

function put_ratios(    i, a, b, ratio, limit, row) {
    row = "%-72s %10s %10s %8s %15s %9s  %s\n"
    printf "\n" row, "ratio", "ours", "other", "ratio", "by round", "bound", "verdict"
    for (i = 1; i <= target_count; i++) {
        a = numerator[i]
        b = denominator[i]
        limit = kind[i] == "info" ? "" : (kind[i] == "at-most" ? "<= " : ">= ") bound[i]
        if (!is_there(a) || !is_there(b) || figure(b) == 0) {
            result[i] = kind[i] == "info" ? "-" : "NO FIGURE"
            printf row, title[i], text_of(a), text_of(b), "?", "", limit, result[i]
        } else {
            ratio = figure(a) / figure(b)
            ratios[i] = sprintf("%.4f", ratio)
            result[i] = verdict(i, ratio)
            printf row, title[i], text_of(a), text_of(b), sprintf("%.3f", ratio), spread(a, b), limit,
                result[i]
        }
        if (kind[i] != "info") {
            bounds++
            if (result[i] == "met")
                met++
        }
    }
}

# What is not there: nothing in CSV, null in JSON.
function exact(name, absent) { return is_there(name) ? figure(name) : absent }
function ratio_or(i, absent) { return (i in ratios) ? ratios[i] : absent }
function bound_or(i, absent) { return kind[i] == "info" ? absent : bound[i] }

function write_csv(    i) {
    print "name,numerator,denominator,ours,other,ratio,kind,bound,verdict" >csv
    for (i = 1; i <= target_count; i++)
        printf "%s,%s,%s,%s,%s,%s,%s,%s,%s\n", quoted(title[i]), numerator[i], denominator[i],
            exact(numerator[i], ""), exact(denominator[i], ""), ratio_or(i, ""), kind[i], bound_or(i, ""),
            result[i] >csv
    close(csv)
}

function write_json(    i, n) {
    print "{\n  \"ratios\": [" >json
    for (i = 1; i <= target_count; i++) {
        printf "    {\"name\": %s, \"ours\": %s, \"other\": %s, \"ratio\": %s,", quoted(title[i]),
            exact(numerator[i], "null"), exact(denominator[i], "null"), ratio_or(i, "null") >json
        printf " \"kind\": %s, \"bound\": %s, \"verdict\": %s}%s\n", quoted(kind[i]), bound_or(i, "null"),
            quoted(result[i]), i < target_count ? "," : "" >json
    }
    print "  ],\n  \"medians\": {" >json
    for (i = 1; i <= name_count; i++) {
        n = names[i]
        printf "    %s: %s%s\n", quoted(n), median(n), i < name_count ? "," : "" >json
    }
    print "  }\n}" >json
    close(json)
}

END {
    put_samples()
    put_ratios()
    if (csv != "") write_csv()
    if (json != "") write_json()
    printf "\n%d of %d targets met\n", met, bounds
    exit check && met < bounds ? 1 : 0
}
