# 페이지와 메일의 한국어 문장이에요(해요체). en.ftl과 같은 메시지가 있는지 시험으로 확인해요.

# Everywhere
product = 문지기
skip = 본문으로 건너뛰기
language = 언어
optional = 선택
continue = 계속
save = 저장하기
allow = 허용하기
deny = 허용 안 함
leave = 그만두고 돌아가기
unknown = 알 수 없음
unknown-device = 알 수 없는 기기
request-id = 요청 번호

# Inputs
field-identifier = 사용자 이름 또는 이메일
field-username = 사용자 이름
field-username-hint = 글자, 숫자, 점, _, -를 쓸 수 있어요. 이메일 대신 이 이름으로 로그인할 수 있어요.
field-email = 이메일
field-new-email = 새 이메일
field-name = 이름
field-password = 비밀번호
field-current-password = 지금 쓰는 비밀번호
field-new-password = 새 비밀번호
field-new-password-hint = 8자 이상으로 정해 주세요. 낱말을 여러 개 이어 쓰면 기억하기 쉬워요. 붙여 넣어도 괜찮아요.
field-user-code = 코드
field-user-code-hint = 대문자와 소문자를 가리지 않아요. 줄표는 빼도 괜찮아요.

# What is wrong with what was sent
complaints-title = 다시 한번 확인해 주세요
complaint-missing = 이 칸을 채워 주세요.
complaint-credentials = 이름 또는 비밀번호가 맞지 않아요.
complaint-password = 지금 쓰는 비밀번호가 아니에요.
complaint-attempts = 시도가 너무 많아요. { $count }초 뒤에 다시 해 주세요.
complaint-email-same = 지금 쓰고 있는 주소예요.
complaint-username-taken = 이미 쓰이고 있는 사용자 이름이에요. 다른 이름을 골라 주세요.
complaint-user-code = 모르는 코드이거나 시간이 지난 코드예요. 기기 화면을 다시 확인해 주세요.

# Signing in
login-title = 로그인
login-client = { $client } 앱으로 계속 가려면 로그인해 주세요.
login-account = 내 계정을 보려면 로그인해 주세요.
login-again = 본인인지 확인할 수 있게 비밀번호를 다시 입력해 주세요.
login-no-account = 아직 계정이 없나요?
login-sign-up = 계정 만들기
login-password-title = 비밀번호를 입력해 주세요
login-other = 다른 계정 쓰기
login-button = 로그인하기
login-forgot = 비밀번호를 잊었나요?
select-title = 어느 계정으로 계속할까요?
select-client = { $client } 앱으로 계속 갈 계정을 골라 주세요.
select-account = 계속 쓸 계정을 골라 주세요.
select-button = { $name } 계정으로 계속하기
select-other = 다른 계정 쓰기

# Making an account
sign-up-title = 계정 만들기
sign-up-text = 1분이면 돼요. 메일함도 한 번 확인해 주세요.
sign-up-button = 계정 만들기
sign-up-have = 이미 계정이 있나요?

# A forgotten password
recover-title = 비밀번호를 잊었나요?
recover-text = 이메일을 알려 주시면 새 비밀번호를 정할 수 있는 링크를 보내 드려요.
recover-button = 링크 보내기
recover-back = 로그인으로 돌아가기
new-password-title = 새 비밀번호 정하기
new-password-text = 다른 기기에서는 모두 로그아웃돼요.
new-password-button = 새 비밀번호로 바꾸기

# One question, one button
verify-title = 이 이메일이 맞나요?
verify-text = { $email } 주소가 본인 것이 맞는지 확인해 주세요.
verify-button = 네, 확인할게요
change-email-title = 이메일을 바꿀까요?
change-email-text = 이전 메일함과 새 메일함에서 모두 확인하면 계정 이메일이 { $email } 주소로 바뀌어요.
change-email-button = 변경 확인하기
undo-email-title = 이전 이메일로 되돌릴까요?
undo-email-text = 계정 이메일이 다시 { $email } 주소로 바뀌고, 다른 곳에서는 모두 로그아웃돼요.
undo-email-button = 변경 되돌리기
sign-out-title = 로그아웃할까요?
sign-out-text = 여기와 이 계정으로 쓰는 앱에서 로그아웃돼요.
sign-out-client = { $client } 앱이 로그아웃을 요청했어요. 여기와 이 계정으로 쓰는 앱에서 로그아웃돼요.
sign-out-button = 로그아웃하기
keep-title = 계정을 그대로 둘까요?
keep-text = { $date }에 계정이 삭제될 예정이에요. 그때까지는 마음을 바꿀 수 있어요.
keep-button = 계정 그대로 두기

# What was done
onward-login = 로그인하기
onward-account = 내 계정으로 가기
mailed-title = 메일함을 확인해 주세요
mailed-sign-up = { $email } 주소로 메일을 보냈어요. 메일 속 링크를 열면 계속할 수 있어요. 메일이 안 보이면 스팸함도 확인해 주세요.
mailed-recovery = { $email } 주소로 만든 계정이 있으면 링크를 보내 드려요. 링크는 15분 동안 쓸 수 있어요. 메일이 안 보이면 스팸함도 확인해 주세요.
mailed-change = { $email } 주소와 이전 주소로 링크를 하나씩 보냈어요. 둘 다 열어서 확인하면 이메일이 바뀌어요.
verified-title = 이메일을 확인했어요
verified-text = 고마워요. 이제 로그인할 수 있어요.
verified-elsewhere-text = 고마워요. 이용하려던 앱으로 돌아가서 로그인해 주세요.
password-set-title = 비밀번호를 바꿨어요
password-set-text = 다른 기기에서는 모두 로그아웃됐어요. 새 비밀번호로 로그인해 주세요.
device-allowed-title = 기기가 로그인됐어요
device-allowed-text = 이 페이지를 닫고 기기로 돌아가면 돼요.
device-denied-title = 기기를 허용하지 않았어요
device-denied-text = 아무 정보도 공유되지 않았어요. 이 페이지를 닫아도 돼요.
change-half-title = 한 번만 더 확인해 주세요
change-half-text = 이제 다른 메일함에서 링크를 열어 주세요.
changed-title = 이메일을 바꿨어요
changed-text = 이제 { $email } 주소를 써요. 모르는 기기에 로그인돼 있다면 “로그인한 기기”에서 끝낼 수 있어요.
undone-title = 변경을 되돌렸어요
undone-text = 전처럼 { $email } 주소를 쓰고, 모든 곳에서 로그아웃됐어요. 본인이 바꾼 게 아니라면 로그인 페이지의 “비밀번호를 잊었나요?”에서 새 비밀번호를 정해 주세요.
deletion-title = 계정이 삭제될 예정이에요
deletion-text = 지금은 계정이 닫혔고, { $date }에 삭제돼요. 마음이 바뀌면 그 전에 로그인해 주세요.
kept-title = 계정이 그대로 있어요
kept-text = 다시 만나서 반가워요. 아무것도 삭제되지 않았어요.

# Consent
consent-title = { $client } 앱이 권한을 요청해요
consent-host = 허용하면 이동할 곳:
consent-unverified = 이 앱은 아직 확인되지 않았어요. 아는 주소일 때만 계속해 주세요.
consent-publisher = 앱을 소개하는 곳:
consent-local = 이 기기에서 실행되는 앱이에요. 방금 직접 시작한 앱일 때만 계속해 주세요.
consent-may = 요청하는 권한
consent-while = 로그인해 있는 동안만 쓸 수 있어요. 내 계정에서 언제든지 취소할 수 있어요.
consent-lasting = 자리를 비운 동안에도, 마지막으로 쓴 뒤 { $count }일까지 쓸 수 있어요. 내 계정에서 언제든지 취소할 수 있어요.
consent-never = 비밀번호는 절대 알려 주지 않아요.
consent-switch = 다른 계정 쓰기
scope-openid = 다시 왔을 때 알아보기
scope-profile = 이름과 사용자 이름 보기
scope-email = 이메일 주소 보기
scope-address = 주소 보기
scope-phone = 전화번호 보기
scope-groups = 속한 그룹 보기
scope-roles = 맡은 역할 보기
scope-offline = 자리를 비운 동안에도 연결 유지하기
scope-other = ‘{ $scope }’ 권한 쓰기
scope-api = 나를 대신해 { $api } 쓰기

# A device without a keyboard
device-title = 기기 연결하기
device-text = 기기 화면에 보이는 코드를 입력해 주세요.
device-confirm-title = 내 기기가 맞나요?
device-confirm-client = { $client } 앱이 내 계정으로 로그인하려고 해요
device-confirm-text = 기기 화면의 코드와 같은지 확인해 주세요.
device-from = 요청한 곳
device-kind = 기기
device-at = 요청한 시각
device-unverified = 이 앱은 아직 확인되지 않았어요. 아는 앱일 때만 계속해 주세요.
device-caution = 누군가에게 받은 코드인가요? 그렇다면 허용하지 마세요. 그 사람이 내 계정을 쓸 수 있게 돼요.

# The own account
account-menu = 내 계정
account-overview = 한눈에 보기
account-profile = 프로필
account-email = 이메일
account-password = 비밀번호
account-sessions = 로그인한 기기
account-applications = 연결된 앱
account-data = 내 정보
overview-title = { $name } 님, 안녕하세요
overview-verified = 확인됨
overview-unverified = 확인 안 됨
overview-verify = 확인 메일 다시 보내기
overview-signed-in = 로그인한 시각
overview-sessions = 기기 { $count }대가 로그인해 있어요
overview-applications = 앱 { $count }개가 연결돼 있어요
notice-profile = 프로필을 저장했어요.
notice-password = 비밀번호를 바꿨어요. 다른 기기에서는 모두 로그아웃됐어요.
notice-session = 기기에서 로그아웃했어요.
notice-others = 다른 기기에서 모두 로그아웃했어요.
notice-application = 앱 연결을 끊었어요.
notice-verification = 링크를 보냈어요. 링크를 열어 주소를 확인해 주세요.
profile-text = 내가 허용한 앱에는 이렇게 보여요.
email-text = 지금은 { $email } 주소를 쓰고 있어요. 이 주소와 새 주소로 링크를 하나씩 보내 드려요. 둘 다 확인하면 이메일이 바뀌어요.
email-none = 아직 등록한 주소가 없어요. 새 주소로 링크를 보내 드려요.
email-button = 링크 보내기
password-text = 다른 기기에서는 모두 로그아웃돼요.
password-button = 비밀번호 바꾸기
sessions-text = 이 기기들에서 로그인해 있어요. 모르는 기기가 있으면 로그아웃하고 비밀번호를 바꿔 주세요.
sessions-this = 지금 이 기기
sessions-place = 접속한 곳:
sessions-used = 마지막 사용:
sessions-opened = 로그인:
sessions-applications = 사용한 앱:
sessions-end = 로그아웃
sessions-end-of = { $device } 로그아웃
sessions-end-others = 다른 기기에서 모두 로그아웃
applications-none = 연결된 앱이 없어요.
applications-text = 이 앱들이 내 계정에 연결돼 있어요.
applications-since = 허용한 시각:
applications-remove = 연결 끊기
applications-remove-of = { $client } 앱 연결 끊기
export-title = 내 정보 내려받기
export-text = 여기에 저장된 내 정보를 모두 JSON 파일 하나로 받을 수 있어요.
export-button = 내려받기
delete-title = 계정 삭제하기
delete-offer = 계정과 그 안의 모든 정보가 삭제돼요. 며칠 동안은 마음을 바꿀 수 있어요.
delete-begin = 계정 삭제하기…
delete-text = 모든 곳에서 로그아웃되고, 앱 연결도 모두 끊겨요.
delete-grace = { $count }일 안에 다시 로그인하면 되돌릴 수 있어요. 그 뒤에는 모두 완전히 사라져요.
delete-button = 내 계정 삭제하기

# What cannot go on
failed-not-found-title = 여기에는 아무것도 없어요
failed-not-found-text = 페이지가 옮겨졌거나 주소가 잘못 입력됐을 수 있어요.
failed-client-title = 이 앱의 설정에 문제가 있어요
failed-client-text = 여기로 보낸 앱을 알 수 없어요. 아래 번호와 함께 앱 운영자에게 알려 주세요.
failed-redirect-text = 앱이 등록하지 않은 주소로 응답을 받으려고 해요. 아래 번호와 함께 앱 운영자에게 알려 주세요.
failed-request-text = 앱의 요청이 불완전하거나 잘못됐어요. 아래 번호와 함께 앱 운영자에게 알려 주세요.
failed-expired-title = 시간이 오래 지났어요
failed-expired-text = 안전을 위해 진행하던 내용을 지웠어요. 앱으로 돌아가서 다시 시작해 주세요.
failed-browser-title = 다른 브라우저에서 시작한 로그인이에요
failed-browser-text = 앱으로 돌아가서 이 브라우저에서 다시 시작해 주세요. 자주 보인다면 이 사이트의 쿠키를 허용해 주세요.
failed-site-title = 다른 사이트에서 온 요청이에요
failed-site-text = 안전을 위해 아무것도 하지 않았어요. 원래 주소에서 페이지를 다시 열고 한 번 더 해 주세요.
failed-unreadable-title = 내용을 읽을 수 없어요
failed-unreadable-text = 뒤로 가서 한 번 더 해 주세요.
failed-link-title = 더 이상 쓸 수 없는 링크예요
failed-link-text = 이미 쓰였거나 시간이 지났어요. 새 링크를 받아 주세요.
failed-disabled-title = 닫힌 계정이에요
failed-disabled-text = 서비스 운영자에게 문의해 주세요.
failed-off-title = 쓸 수 없는 기능이에요
failed-off-text = 이 서비스에서는 제공하지 않는 기능이에요.
failed-many-title = 조금만 천천히 해 주세요
failed-many-text = 시도가 너무 많았어요. 1분 뒤에 다시 해 주세요.
failed-busy-title = 지금은 조금 바빠요
failed-busy-text = 잠시 뒤에 다시 해 주세요.
failed-internal-title = 문제가 생겼어요
failed-internal-text = 잘못하신 것은 없어요. 계속되면 아래 번호와 함께 서비스 운영자에게 알려 주세요.
difference-title = 클라이언트 { $client }의 리다이렉트 URI
difference-received = 받은 주소
difference-registered = 등록된 주소
difference-dev = 개발 모드라서 보이는 내용이에요. 받은 주소를 그대로 등록하거나, 등록된 주소를 그대로 보내 주세요.
difference-no-uri = 받은 주소가 절대 URI가 아니에요
difference-spelling = 뜻은 같지만 표기가 달라요. 글자 하나까지 같아야 해요
difference-none = (없음)
difference-scheme = 스킴이 달라요. 등록: { $own }, 받음: { $got }
difference-host = 호스트가 달라요. 등록: { $own }, 받음: { $got }
difference-port = 포트가 달라요. 등록: { $own }, 받음: { $got }
difference-path = 경로가 달라요. 등록: { $own }, 받음: { $got }
difference-query = 쿼리가 달라요. 등록: { $own }, 받음: { $got }
difference-fragment = 프래그먼트가 달라요. 등록: { $own }, 받음: { $got }

# Signed out
signed-out-title = 로그아웃했어요
signed-out-text = 여기와 이 계정으로 쓰던 앱에서 로그아웃했어요.
signed-out-back = { $client } 앱으로 돌아가기
signed-out-again = 다시 로그인하기
signed-out-frame = 앱에서 로그아웃하는 중

# On the way to an application
form-post-title = 잠시만 기다려 주세요
form-post-text = 앱으로 이동하고 있어요. 그대로 있으면 버튼을 눌러 주세요.

# munjigi dev
dev-title = 문지기가 실행 중이에요
dev-text = 이 컴퓨터에서만 쓰는 개발용이에요. 주소:
dev-place-docs = API 문서
dev-place-mail = 메일함
dev-place-account = 계정 페이지
dev-place-sign-up = 계정 만들기
dev-place-discovery = 디스커버리 문서
dev-open-mailbox = 개발용 메일함 열기
dev-sign-in-title = 로그인해 보세요
dev-sign-in-text = 다른 앱처럼 인가 코드와 PKCE로, 아래 사람 중 한 명으로 로그인해 보세요.
dev-people = 로그인할 수 있는 사람
dev-roles = 역할
dev-signed-in = 로그인했어요. 토큰은 아래에 있어요.
dev-token-title = 액세스 토큰
dev-token-text = 헤더, 페이로드, 서명 세 부분으로 되어 있어요. 누구나 읽을 수 있지만 이 서버만 만들 수 있어요.
dev-claim = 클레임
dev-value = 값
dev-meaning = 뜻
dev-call-title = 보호된 API 호출하기
dev-call-text = 토큰을 Authorization: Bearer로 보내면 API가 스스로 검증해요.
dev-call-button = API 호출하기
dev-revoke-title = 토큰 철회하기
dev-revoke-text = 로그아웃하거나 비밀번호를 바꾸거나 관리자가 끊을 때와 같아요.
dev-revoke-button = 토큰 철회하기
dev-revoked = 철회했어요. 서명은 여전히 올바르고 만료 시각도 아직 남았어요.
dev-refused-title = 거절되는지 확인하기
dev-refused-text = 같은 토큰으로 똑같이 호출해 보세요.
dev-refused-button = API 다시 호출하기
dev-reset-button = 처음부터 다시 하기
claim-alg = 서명에 쓴 알고리즘
claim-kid = 서명에 쓴 키. 서버가 공개한 키 가운데 하나예요
claim-typ = 토큰의 종류. 다른 토큰과 헷갈리지 않게 해요
claim-iss = 발급한 곳. 이 서버예요
claim-sub = 누구의 토큰인지. 절대 바뀌지 않는 번호예요
claim-aud = 어떤 API에서 쓰는지. 다른 API는 거절해요
claim-exp = 만료 시각. 1970년부터 센 초예요
claim-iat = 발급 시각
claim-nbf = 쓸 수 있게 되는 시각
claim-jti = 이 토큰만의 번호
claim-client-id = 토큰을 받은 앱
claim-scope = 앱이 할 수 있는 일
claim-roles = 그 사람이 맡은 역할
claim-groups = 그 사람이 속한 그룹
claim-permissions = 그 사람이 할 수 있는 일
claim-sid = 속한 세션. 세션이 끝나면 함께 끝나요
claim-gid = 토큰의 바탕이 된 허가. 철회하면 이 허가로 발급한 토큰이 모두 끝나요
claim-auth-time = 마지막으로 본인을 확인한 시각
claim-acr = 얼마나 확실하게 확인했는지
claim-amr = 어떤 방법으로 확인했는지
claim-cnf = 이 키가 없으면 쓸 수 없어요
claim-other = 이 서버나 운영자가 더한 정보
mailbox-title = 메일함
mailbox-text = 개발 모드에서는 메일을 보내지 않고 모두 여기에 모아요.
mailbox-empty = 아직 메일이 없어요.
mailbox-json = JSON으로 보기
mailbox-back = 메일함으로 돌아가기
mail-to = 받는 사람:
mail-links = 메일 속 링크
