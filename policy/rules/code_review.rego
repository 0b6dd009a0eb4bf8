# METADATA
# title: What the review rules share
package verdict.rules.code.review

import data.verdict.lib
import input.change
import input.review

# hands: everybody who had a hand in the change, each with all members or the rule that
# asks is silent.
hands := [{"id": c.id, "known": c.known} | some c in change.contributors]

requester := {"id": review.author, "known": review.author_known}

involved := {h.id | some h in array.concat(hands, [requester])}

strangers := {h.id | some h in array.concat(hands, [requester]); h.known == false}

read := [{"person": a.person, "known": a.known, "bot": a.bot, "standing": a.standing} | some a in review.approvals]

# whole: nothing that the rules rest on lacks a member.
whole if {
	count(hands) == count(change.contributors)
	count(read) == count(review.approvals)
	count(involved) > 0
	count(strangers) >= 0
}

# counting: who approved the change as it stands and had no hand in it.
counting := {a.person |
	some a in read
	a.standing == "stands"
	a.known == true
	a.bot == false
	not a.person in involved
}

# stated: whether change and review are both known.
stated if {
	lib.stated(change)
	lib.stated(review)
}

not_stated := lib.not_stated("review", review) if {
	not lib.stated(review)
	change.state
} else := lib.not_stated("change", change) if {
	review.state
}
